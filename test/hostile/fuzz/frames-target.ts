import { createPerMessageDeflateCodec } from "../../../packages/sluice/src/node/zlib-codec.ts";
import { isReceivableCloseCode } from "../../../packages/sluice/src/protocol/close-code.ts";
import { ProtocolError } from "../../../packages/sluice/src/protocol/protocol-error.ts";
import { ProtocolEvent, WebSocketProtocol } from "../../../packages/sluice/src/protocol/websocket-protocol.ts";
import type { Role } from "../stage.ts";
import { check, checkSame } from "./check.ts";
import { cutsOf } from "./cut.ts";
import { type Event, type Reception, receiveByReference } from "./reference-receiver.ts";

/** What the first byte of an input says about the rest. */
interface Setting {
  readonly role: Role;
  readonly isCompressed: boolean;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  /** Messages are asked for only when there is nothing else to do. */
  readonly isHesitant: boolean;
  /** Memory is lent for the turn only. */
  readonly isBorrowed: boolean;
}

function toSetting(flags: number): Setting {
  return {
    role: flags & 1 ? "client" : "server",
    isCompressed: (flags & 2) !== 0,
    maxMessageBytes: flags & 4 ? 300 : 100_000,
    maxFragments: flags & 8 ? 4 : 1_000,
    isHesitant: (flags & 16) !== 0,
    isBorrowed: (flags & 32) !== 0,
  };
}

/** The first byte is a {@link Setting}, the others are what a peer sends behind the handshake. */
export async function frames(input: Uint8Array): Promise<void> {
  const setting = toSetting(input[0] ?? 0);
  const wire = input.subarray(1);
  const outcomes: (readonly [name: string, reception: Reception])[] = [];
  for (const [name, chunks] of cutsOf(wire)) outcomes.push([name, await receive(chunks, setting)]);
  const [, whole] = outcomes[0] as (typeof outcomes)[0];
  for (const [name, reception] of outcomes) checkSame(reception, whole, `cut ${name}`);
  if (!setting.isCompressed) checkSame(whole, receiveByReference(wire, setting.role, setting), "against the reference");
}

async function receive(chunks: readonly Uint8Array[], setting: Setting): Promise<Reception> {
  const { role, maxMessageBytes, maxFragments } = setting;
  const protocol = new WebSocketProtocol({
    role,
    maxMessageBytes,
    maxFragments,
    fillRandom: (target) => target.fill(7),
    deflate: setting.isCompressed ? createPerMessageDeflateCodec(role, PARAMETERS) : undefined,
  });
  const events: Event[] = [];
  let receivedBytes = 0;
  try {
    for (const chunk of chunks) {
      const lent = chunk.slice();
      protocol.receive(lent);
      receivedBytes += chunk.byteLength;
      await collect(protocol, setting, events, receivedBytes);
      if (setting.isBorrowed) {
        protocol.retain();
        lent.fill(0xee);
      }
    }
    return { events, failure: null };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    checkFault(protocol, error);
    return { events, failure: error.closeCode };
  } finally {
    protocol.close();
    check(protocol.bufferedBytes === 0 && protocol.assembledBytes === 0, "a closed protocol holds nothing");
  }
}

async function collect(
  protocol: WebSocketProtocol,
  setting: Setting,
  events: Event[],
  receivedBytes: number,
): Promise<void> {
  for (let isWanted = !setting.isHesitant; ; ) {
    const event = protocol.next(isWanted);
    checkMemory(protocol, setting, receivedBytes);
    if (event === ProtocolEvent.PENDING) {
      check(protocol.pending !== null, "PENDING comes with a promise");
      await protocol.pending;
    } else if (event === ProtocolEvent.STALLED) {
      check(!isWanted, "the protocol stalls only where nothing is wanted");
      isWanted = true;
    } else if (event === ProtocolEvent.NEED_DATA) {
      if (isWanted || events.at(-1)?.[0] === "close") return;
      isWanted = true;
    } else {
      check(events.at(-1)?.[0] !== "close", "nothing comes behind a Close");
      events.push(toEvent(protocol, event, setting));
      if (event === ProtocolEvent.MESSAGE) isWanted = !setting.isHesitant;
    }
  }
}

function toEvent(protocol: WebSocketProtocol, event: ProtocolEvent, { maxMessageBytes }: Setting): Event {
  const { message, payload } = protocol;
  switch (event) {
    case ProtocolEvent.MESSAGE: {
      const bytes = typeof message === "string" ? Buffer.from(message) : message;
      check(bytes.byteLength === protocol.messageByteLength, "messageByteLength is the message's");
      check(bytes.byteLength <= maxMessageBytes, "no message is larger than the limit");
      if (typeof message === "string") return ["text", Buffer.from(bytes).toString("hex")];
      check(
        message.byteOffset === 0 && message.buffer.byteLength === message.byteLength,
        "its memory is its own (D-09)",
      );
      return ["binary", Buffer.from(message).toString("hex")];
    }
    case ProtocolEvent.PING:
    case ProtocolEvent.PONG:
      check(payload.byteLength <= 125, "a control frame has 125 bytes at most");
      return [event === ProtocolEvent.PING ? "ping" : "pong", Buffer.from(payload).toString("hex")];
    case ProtocolEvent.CLOSE: {
      const { closeCode, closeReason } = protocol;
      check(closeCode === 1005 || isReceivableCloseCode(closeCode), `close code ${closeCode}`);
      return ["close", closeCode, closeReason];
    }
    default:
      throw new Error(`Broken: event ${event}`);
  }
}

/** Everything received at most, and the message in assembly in memory that grew by doubling; for a header's promise 1 MiB. */
function checkMemory(
  protocol: WebSocketProtocol,
  { maxMessageBytes, isCompressed }: Setting,
  receivedBytes: number,
): void {
  check(protocol.bufferedBytes <= receivedBytes, `${protocol.bufferedBytes} bytes of ${receivedBytes} are buffered`);
  const bound = 2 * maxMessageBytes + 65_536 + (isCompressed ? 262_144 : 0);
  check(protocol.assembledBytes <= bound, `${protocol.assembledBytes} bytes are held`);
}

/** RFC 6455 §7.1.7: nothing is processed any more, however often it is asked. */
function checkFault(protocol: WebSocketProtocol, error: ProtocolError): void {
  check([1002, 1007, 1008, 1009].includes(error.closeCode), `fails with ${error.closeCode}`);
  check(
    /^ERR_SLUICE_[A-Z0-9_]+$/.test(error.code) && /^RFC \d+ §/.test(error.section),
    `${error.code} ${error.section}`,
  );
  protocol.receive(Uint8Array.of(0x89, 0x00, 0x89, 0x80, 0, 0, 0, 0));
  for (const isWanted of [true, false]) {
    let again: unknown = null;
    try {
      protocol.next(isWanted);
    } catch (thrown) {
      again = thrown;
    }
    check(again === error, "after a fault each call throws the same");
  }
  check(protocol.bufferedBytes === 0, "after a fault nothing is held");
}

const PARAMETERS = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
