import type { Clock } from "../connection/clock.ts";
import type { Connection } from "../connection/connection.ts";
import { CreditCodec } from "../flow-control/credit-codec.ts";
import type { CreditWindowOptions } from "../flow-control/credit-receiver.ts";
import { FlowConnection } from "../flow-control/flow-connection.ts";
import { plainProtocols, selectFlowProtocol } from "../flow-control/flow-protocol-name.ts";
import type { ConnectionLimits } from "../streams/options.ts";

/** Whether, and with which windows, to speak the credit protocol of docs/flow-control.md with clients that offer it. */
export type CreditOption = boolean | CreditWindowOptions;

/** The offered subprotocols as the application is to see them. */
export function toPlainOffer(offered: readonly string[], credit: CreditOption | undefined): readonly string[] {
  return credit === false ? offered : plainProtocols(offered);
}

/** What goes into the response for the application's choice: the same with flow control around it, if that was offered. */
export function toSelectedProtocol(
  offered: readonly string[],
  protocol: string,
  credit: CreditOption | undefined,
): string {
  return credit === false ? protocol : (selectFlowProtocol(offered, protocol) ?? "");
}

/**
 * What the connection below assembles at most. The credit protocol has no data message above 65,536 bytes, and says so to
 * whoever sends a longer one; of one that is longer than this nothing is held.
 */
export const MAX_CREDIT_FRAME_BYTES = 131_072;

/** Puts the credit protocol in front of a connection; the streams on top see no difference. */
export function addCredit(
  connection: Connection,
  options: ConnectionLimits & { credit?: CreditOption | undefined },
  clock: Clock,
): Connection {
  const windows = typeof options.credit === "object" ? options.credit : {};
  const { maxMessageBytes, maxFragments: maxPieces, closeTimeoutMs } = options;
  const codec = new CreditCodec({ ...windows, maxMessageBytes, maxPieces });
  // The class is nominal for its private fields; its whole surface is there.
  return new FlowConnection(connection, codec, "credit", { clock, closeTimeoutMs }) as unknown as Connection;
}
