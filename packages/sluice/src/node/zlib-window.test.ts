import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { createPerMessageDeflateCodec } from "./zlib-codec.ts";

const parameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Inflates as a peer does that has no more memory than the window: output leaves it in small pieces. */
function inflateWithin(windowBits: number, messages: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(messages.flatMap((message) => [message, TAIL]));
  return zlib.inflateRawSync(bytes, { windowBits, chunkSize: 64, finishFlush: zlib.constants.Z_SYNC_FLUSH });
}

describe("RFC 7692 §7.1.2 the window of what is compressed is no larger than agreed", () => {
  const cases = [9, 10, 12, 14].flatMap((bits) => [["server", bits] as const, ["client", bits] as const]);

  it.each(cases)("as %s with %i bits, within a message and from one to the next", async (role, bits) => {
    const own = role === "server" ? { serverMaxWindowBits: bits } : { clientMaxWindowBits: bits };
    const codec = createPerMessageDeflateCodec(role, { ...parameters, ...own }, { thresholdBytes: 0 });
    // Each part comes again, a little farther back than the window reaches.
    const part = randomBytes(2 ** bits + 100);
    const message = Buffer.concat([part, part]);
    const sent = [
      Buffer.from((await codec.deflater.deflate(message)) as Uint8Array),
      Buffer.from((await codec.deflater.deflate(message)) as Uint8Array),
    ];
    codec.deflater.close();
    codec.inflater.close();
    expect(inflateWithin(bits, sent).equals(Buffer.concat([message, message]))).toBe(true);
  });

  it("and the check sees one that is larger", () => {
    const part = randomBytes(2 ** 9 + 100);
    const sent = zlib.deflateRawSync(Buffer.concat([part, part]), {
      windowBits: 15,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
    });
    expect(() => inflateWithin(9, [sent.subarray(0, -4)])).toThrow("too far back");
  });
});
