/** One message of its pieces, all text or all binary, at least one; in memory of its own. @param byteLength of all */
export function joinPieces(
  pieces: readonly string[] | readonly Uint8Array[],
  byteLength: number,
): string | Uint8Array<ArrayBuffer> {
  if (typeof pieces[0] === "string") return pieces.join("");
  const message = new Uint8Array(byteLength);
  let offset = 0;
  for (const piece of pieces as readonly Uint8Array[]) {
    message.set(piece, offset);
    offset += piece.length;
  }
  return message;
}
