import type { Connection } from "../../packages/sluice/src/connection/connection.ts";
import { CreditCodec } from "../../packages/sluice/src/flow-control/credit-codec.ts";
import type { CreditWindowOptions } from "../../packages/sluice/src/flow-control/credit-receiver.ts";
import { FlowConnection } from "../../packages/sluice/src/flow-control/flow-connection.ts";
import { connect, realClock } from "../../packages/sluice/src/node/connect.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { type Meeting, type Role, type Stage, withField } from "./stage.ts";

/** What of the attacked connection differs from the default. */
export interface CreditMeetOptions {
  readonly credit?: CreditWindowOptions;
  readonly maxMessageBytes?: number;
  readonly maxFragments?: number;
  readonly closeTimeoutMs?: number;
}

const NAME = "wsflow.v1";
const SELECTED = `Sec-WebSocket-Protocol: ${NAME}`;

/**
 * A connection that agreed on flow control (docs/flow-control.md) with a hostile peer. Our server speaks it by itself. Our
 * client does in pages; here it stands on Node's connection, as anybody can build it from `sluice/flow-control`.
 */
export async function meetWithCredit(stage: Stage, role: Role, options: CreditMeetOptions = {}): Promise<Meeting> {
  if (role === "server") {
    const client = stage.expectClient(options);
    const peer = await stage.connect({ url: client.url, request: (legal) => withField(legal, SELECTED) });
    return stage.observe(await client.stream, peer);
  }
  const hostile = await HostileServer.listen({ respond: (legal) => withField(legal, SELECTED) });
  stage.onEnd(() => hostile.close());
  const [stream, peer] = await Promise.all([connectWithCredit(hostile.url, options), hostile.accept()]);
  return stage.observe(stream, peer);
}

function connectWithCredit(url: string, options: CreditMeetOptions): Promise<WebSocketStream> {
  const { credit, maxMessageBytes, maxFragments: maxPieces, closeTimeoutMs } = options;
  return new Promise((resolve, reject) => {
    connect(
      { url: new URL(url), protocols: [NAME], connection: { closeTimeoutMs }, perMessageDeflate: false },
      {
        onFailed: reject,
        onEstablished(base, { extensions, head }) {
          const codec = new CreditCodec({ ...credit, maxMessageBytes, maxPieces });
          const connection = new FlowConnection(base, codec, "credit", { clock: realClock, closeTimeoutMs });
          const info = { url, protocol: "", extensions, head, options: {} };
          // The class is nominal for its private fields; its whole surface is there.
          const established = new Established(connection as unknown as Connection, info);
          resolve(new WebSocketStream(established as unknown as string));
        },
      },
    );
  });
}
