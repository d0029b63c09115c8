/** Message `number` of every transfer: of a length and with bytes that only this one has, so that loss and damage show. */
export function createMessage(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + ((number * 7_919) % 60_000));
  new DataView(bytes.buffer).setUint32(0, number);
  for (let index = 4; index < bytes.byteLength; index += 97) bytes[index] = number * 31 + index;
  return bytes;
}

/** Whether this is message `number`. */
export function isMessage(received: string | Uint8Array, number: number): boolean {
  return typeof received !== "string" && Buffer.compare(received, createMessage(number)) === 0;
}
