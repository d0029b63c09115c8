import type { Message } from "./payloads.ts";

/*
 * What a library under test has to do, in the way its own documentation tells its users. An adapter is a few lines; all
 * measuring is done around it, by the same code for everyone.
 */

/** One open connection. */
export interface Channel {
  /** Hands each message to the receiver, from now on. Called once. */
  receive(receiver: Receiver): void;
  /** Sends all that the source gives, waiting for room as the library's users are told to. Fulfils when all is handed over. */
  sendAll(source: Source): Promise<void>;
  /** Sends that many messages of the source at once, then waits if there is a backlog. */
  sendBurst(source: Source, count: number): Promise<void>;
  /** Sends one message without waiting. */
  send(message: Message): void;
  /** Sends back whatever comes, from now on. Called once, instead of `receive`. */
  echo(): void;
  /** Receives at the application's own pace, from now on: each message waits for the promise of the one before. */
  receiveSlowly(take: (message: Message) => Promise<void>): void;
  /** Reads through a transform into a sink, as pipelines do. Missing where the library has no streams. */
  receiveThroughTransform?(receiver: Receiver): void;
  /** Bytes that the library says it holds for this connection, both ways; undefined if it does not say. */
  heldBytes?(): { in: number; out: number };
  close(): void;
}

/** Takes what comes. */
export interface Receiver {
  onMessage(message: Message): void;
  /** For a peer without messages: a piece of the byte stream, valid during the call. */
  onBytes(bytes: Uint8Array): void;
}

/** Gives what is to be sent. */
export interface Source {
  /** The next message; undefined at the end. */
  next(): Message | undefined;
}

/** Settings that concern both ends. */
export interface ConnectionSetup {
  /** PEM; the connection is encrypted if present. */
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  /** permessage-deflate with context takeover both ways and no threshold, at each library's own level. */
  readonly deflate?: boolean | undefined;
  /** Where the built files of the library lie, for the adapters that use it. */
  readonly sluice: string;
  /** Only for a peer without messages: their length. */
  readonly bytes: number;
}

/** A listening server. */
export interface Listening {
  readonly port: number;
  /** One message to all connections, whose channels are given. Missing where it was not adapted. */
  broadcast?(message: Message, channels: readonly Channel[]): Promise<void>;
}

/** What `src/peers/*.ts` export. */
export interface Adapter {
  /** Whether the library's users send bytes as a `Buffer` of Node. */
  readonly takesBuffers?: boolean;
  /** Listens on a free port of 127.0.0.1; each accepted connection is handed over. */
  listen?(setup: ConnectionSetup, onChannel: (channel: Channel) => void): Promise<Listening>;
  /** Opens a connection to a server of this machine. */
  connect?(url: string, setup: ConnectionSetup): Promise<Channel>;
}
