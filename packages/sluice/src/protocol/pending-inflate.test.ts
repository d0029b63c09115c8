import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PerMessageDeflateCodec } from "./permessage-deflate/codec.ts";
import { ProtocolEvent, WebSocketProtocol } from "./websocket-protocol.ts";

/** "Inflates" to the same bytes, in its own time. */
function createSlowCodec(): PerMessageDeflateCodec {
  return {
    inflater: {
      inflate: async (input) => {
        const copy = new Uint8Array(input);
        await Promise.resolve();
        return copy;
      },
      heldBytes: 0,
      close() {},
    },
    deflater: { shouldDeflate: () => false, deflate: () => null, heldBytes: 0, close() {} },
  };
}

/** Unmasked binary frames with RSV1, of 1 to 100 bytes each; every payload byte differs from its neighbours. */
function framesOf(lengths: readonly number[]): { wire: Uint8Array; messages: number[][] } {
  const messages = lengths.map((length, index) => Array.from({ length }, (_, i) => (i + index * 17) & 0xff));
  return { wire: Uint8Array.from(messages.flatMap((message) => [0xc2, message.length, ...message])), messages };
}

describe("RFC 7692 §6 order while an inflater takes its time (spec-digest E25)", () => {
  it("chunks that arrive meanwhile wait in order, in memory of their own, in every split and timing", async () => {
    const step = fc.record({ length: fc.integer({ min: 1, max: 60 }), turns: fc.integer({ min: 0, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(step),
        fc.boolean(),
        async (lengths, steps, isBuffer) => {
          const { wire, messages } = framesOf(lengths);
          const protocol = new WebSocketProtocol({ role: "client", fillRandom: () => {}, deflate: createSlowCodec() });
          const received: number[][] = [];
          const parse = (): void => {
            for (;;) {
              const event = protocol.next(true);
              if (event === ProtocolEvent.MESSAGE) received.push([...(protocol.message as Uint8Array)]);
              else if (event === ProtocolEvent.PENDING) {
                void protocol.pending?.then(parse);
                return;
              } else return;
            }
          };
          const borrowed = isBuffer ? Buffer.alloc(60) : new Uint8Array(60);
          for (let start = 0; start < wire.length; ) {
            const { length, turns } = steps.next().value;
            const chunk = wire.subarray(start, start + length);
            start += chunk.length;
            borrowed.set(chunk);
            protocol.receive(borrowed.subarray(0, chunk.length));
            if (protocol.pending === null) parse();
            protocol.retain();
            borrowed.fill(0xee);
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          }
          await new Promise((resolve) => setImmediate(resolve));
          expect(received).toEqual(messages);
        },
      ),
      { numRuns: 300 },
    );
  });
});
