/** One message of its pieces, all text or all binary, at least one; in memory of its own. */
export function joinPieces(pieces: readonly string[] | readonly Uint8Array[]): string | Uint8Array<ArrayBuffer> {
  if (typeof pieces[0] === "string") return pieces.join("");
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const message = new Uint8Array(length);
  length = 0;
  for (const piece of pieces as readonly Uint8Array[]) {
    message.set(piece, length);
    length += piece.length;
  }
  return message;
}
