import { offerFlowProtocols } from "../../packages/sluice/src/flow-control.ts";
import type { WebSocketStreamOptions } from "../../packages/sluice/src/index.ts";
import { connect } from "../../packages/sluice/src/node/connect.ts";
import { realClock } from "../../packages/sluice/src/node/real-clock.ts";
import { addCredit } from "../../packages/sluice/src/server/credit.ts";
import { Established } from "../../packages/sluice/src/streams/established.ts";
import { toConnectionLimits } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { CREDIT_WINDOW_BYTES } from "./held-bounds.ts";

/**
 * A stream that speaks wsflow.v1 as a client. The package offers that to pages (`@sluice/polyfill`) and to servers; here its
 * parts are put together for a client on Node, so that the server's half meets a peer at full speed.
 */
export function openCreditStream(url: string, options: WebSocketStreamOptions): Promise<WebSocketStream> {
  const window = { windowBytes: CREDIT_WINDOW_BYTES, maxWindowBytes: CREDIT_WINDOW_BYTES };
  const request = {
    url: new URL(url),
    protocols: offerFlowProtocols([], true),
    connection: toConnectionLimits(options),
    perMessageDeflate: options.perMessageDeflate,
    agent: options.agent,
  };
  return new Promise((resolve, reject) => {
    connect(request, {
      onEstablished: (base, info) => {
        const connection = addCredit(base, { ...options, credit: window }, realClock);
        // As the server makes its streams.
        const established = new Established(connection, { ...info, url, options }) as unknown as string;
        resolve(new WebSocketStream(established));
      },
      onFailed: reject,
    });
  });
}
