/**
 * Converts a Web IDL `BufferSource` to exactly its bytes, which are not copied. A detached buffer is empty.
 *
 * @returns null if the value is neither an ArrayBuffer nor a view on one
 * @throws {TypeError} if the memory is shared or resizable
 */
export function toBytes(value: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(value)) {
    checkBuffer(value.buffer);
    if (value instanceof Uint8Array) return value.byteLength === 0 ? EMPTY : value;
    return isDetached(value.buffer) ? EMPTY : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (isArrayBuffer(value) || isSharedArrayBuffer(value)) {
    checkBuffer(value);
    return isDetached(value) ? EMPTY : new Uint8Array(value);
  }
  return null;
}

/** Whether the view lies on memory that nobody else can change or resize: the usual case, told without an exception. */
export function isPlain(view: Uint8Array): boolean {
  const { buffer } = view;
  return Object.getPrototypeOf(buffer) === ArrayBuffer.prototype && !(buffer as { resizable?: boolean }).resizable;
}

const EMPTY = new Uint8Array(0);

/** @throws {TypeError} for memory that may change size or that another thread may change */
function checkBuffer(buffer: ArrayBufferLike): void {
  // The brand check costs an exception, so the usual class is looked at first.
  if (Object.getPrototypeOf(buffer) !== ArrayBuffer.prototype && isSharedArrayBuffer(buffer)) {
    throw new TypeError("Cannot send these bytes as their memory is shared: send a copy, such as view.slice()");
  }
  if ((buffer as ArrayBuffer & { resizable?: boolean }).resizable) {
    throw new TypeError("Cannot send these bytes as their buffer is resizable: send a copy, such as view.slice()");
  }
}

const getByteLength = getter(ArrayBuffer.prototype);
const getSharedByteLength = typeof SharedArrayBuffer === "undefined" ? undefined : getter(SharedArrayBuffer.prototype);

/** Brand checks that also know objects of other realms. */
function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return hasBrand(value, getByteLength);
}

function isSharedArrayBuffer(value: unknown): value is SharedArrayBuffer {
  return hasBrand(value, getSharedByteLength);
}

function getter(prototype: object): (() => unknown) | undefined {
  return Object.getOwnPropertyDescriptor(prototype, "byteLength")?.get;
}

function hasBrand(value: unknown, brandedGetter: (() => unknown) | undefined): boolean {
  if (typeof value !== "object" || value === null || brandedGetter === undefined) return false;
  try {
    brandedGetter.call(value);
    return true;
  } catch {
    return false; // the getter throws for every other kind of object: that is the check
  }
}

/** `ArrayBuffer.prototype.detached` is missing in Node 20; there a detached buffer refuses to be viewed. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
