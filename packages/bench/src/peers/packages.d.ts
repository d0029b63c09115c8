// What the adapters use of packages that have no types.

declare module "websocket" {
  import type { EventEmitter } from "node:events";
  import type { Server } from "node:http";
  import type { Server as HttpsServer } from "node:https";
  import type { Socket } from "node:net";

  type MessageObject =
    | { readonly type: "utf8"; readonly utf8Data: string }
    | { readonly type: "binary"; readonly binaryData: Buffer };

  interface Connection extends EventEmitter {
    readonly socket: Socket;
    on(event: "message", listener: (message: MessageObject) => void): this;
    sendUTF(text: string): void;
    sendBytes(bytes: Buffer): void;
    close(): void;
  }
  interface Request {
    readonly origin: string;
    accept(protocol: string | null, origin: string): Connection;
  }
  interface Limits {
    maxReceivedFrameSize: number;
    maxReceivedMessageSize: number;
  }
  class WebSocketServer {
    constructor(options: { httpServer: Server | HttpsServer } & Limits);
    readonly connections: Connection[];
    on(event: "request", listener: (request: Request) => void): this;
    broadcastUTF(text: string): void;
    broadcastBytes(bytes: Buffer): void;
  }
  interface WebSocketClient extends EventEmitter {
    connect(url: string): void;
  }
  const websocket: {
    server: typeof WebSocketServer;
    client: new (options: { tlsOptions: object } & Limits) => WebSocketClient;
  };
  export default websocket;
  export type { Connection };
}

declare module "faye-websocket" {
  import type { EventEmitter } from "node:events";
  import type { IncomingMessage } from "node:http";
  import type { Duplex } from "node:stream";

  class FayeWebSocket extends EventEmitter {
    constructor(request: IncomingMessage, socket: Duplex, head: Buffer);
    send(message: string | Buffer): boolean;
    close(): void;
    static Client: new (
      url: string,
      protocols: string[],
      options: { tls: object },
    ) => FayeWebSocket;
  }
  export default FayeWebSocket;
}
