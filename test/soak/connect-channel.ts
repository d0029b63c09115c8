import http from "node:http";
import https from "node:https";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketStream, type WebSocketStreamOptions } from "../../packages/sluice/src/index.ts";
import { type Channel, StreamChannel } from "./channel.ts";
import { openCreditStream } from "./credit-stream.ts";
import { KEEP_ALIVE } from "./keep-alive.ts";
import { LegacyChannel } from "./legacy-channel.ts";
import { MAX_MESSAGE_BYTES } from "./messages.ts";
import type { ClientOrder } from "./orders.ts";
import { type SessionPlan, toPath } from "./plan.ts";

/** A connection, and how to destroy its socket without a word. */
export interface ConnectedChannel {
  readonly channel: Channel;
  kill(): void;
}

/** Connects as the plan says. */
export function connectChannel(plan: SessionPlan, { urls, cert }: ClientOrder): ConnectedChannel {
  const isSecure = plan.kind === "tls" || plan.kind === "legacy tls";
  const url = new URL(toPath(plan), isSecure ? urls.tls : urls.plain).href;
  const options: WebSocketStreamOptions = {
    keepAlive: KEEP_ALIVE,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    perMessageDeflate: plan.kind === "deflate",
    tls: { ca: cert },
  };
  if (plan.ending !== "killed" || plan.ender !== "client") return { channel: open(plan, url, options), kill: () => {} };
  const sockets: Duplex[] = [];
  const agent = createTappedAgent(isSecure, (socket) => sockets.push(socket));
  const channel = open(plan, url, { ...options, agent });
  return {
    channel,
    kill: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function open(plan: SessionPlan, url: string, options: WebSocketStreamOptions): Channel {
  if (plan.kind === "credit") return new StreamChannel(openCreditStream(url, options));
  if (plan.kind === "legacy" || plan.kind === "legacy tls") {
    const { signal: _, ...legacyOptions } = options;
    return new LegacyChannel(new WebSocket(url, { ...legacyOptions, protocols: [], awaitListeners: true }));
  }
  return new StreamChannel(new WebSocketStream(url, options));
}

/** The public way to the socket of a client: an agent that makes it. */
function createTappedAgent(isSecure: boolean, onSocket: (socket: Duplex) => void): http.Agent {
  const agent = isSecure ? new https.Agent() : new http.Agent();
  const tapped = agent as http.Agent & { createConnection(...args: unknown[]): net.Socket };
  const createConnection = tapped.createConnection;
  tapped.createConnection = (...args) => {
    const socket = createConnection.apply(agent, args);
    onSocket(socket);
    return socket;
  };
  return agent;
}
