import type { Connection } from "../connection/connection.ts";
import type { ConnectionLimits } from "./options.ts";

/** A connection whose handshake is done: what a WebSocketStream is made from on the server, instead of a URL. */
export class Established {
  readonly connection: Connection;
  readonly url: string;
  readonly protocol: string;
  readonly extensions: string;
  /** Bytes that arrived behind the handshake. */
  readonly head: Uint8Array | undefined;
  readonly options: ConnectionLimits;

  constructor(
    connection: Connection,
    info: {
      url: string;
      protocol: string;
      extensions: string;
      head?: Uint8Array | undefined;
      options: ConnectionLimits;
    },
  ) {
    this.connection = connection;
    this.url = info.url;
    this.protocol = info.protocol;
    this.extensions = info.extensions;
    this.head = info.head;
    this.options = info.options;
  }
}
