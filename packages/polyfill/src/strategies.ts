import { utf8Length } from "../../sluice/src/flow-control/utf8-length.ts";

/** Takes the place of streams/strategies.ts in the bundle: the same strategy, measured by what is there in any case. */
export class MessageByteLengthStrategy implements QueuingStrategy<string | BufferSource> {
  readonly highWaterMark: number;

  constructor(init: { highWaterMark: number }) {
    this.highWaterMark = Number(init.highWaterMark);
  }

  size(chunk: string | BufferSource): number {
    return typeof chunk === "string" ? utf8Length(chunk) : chunk.byteLength;
  }
}
