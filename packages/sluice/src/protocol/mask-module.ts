/**
 * The WebAssembly module that masks (RFC 6455 §5.3) 16 bytes an instruction, put together from named instructions when it is
 * first needed: no compiler in the build, nothing in the sources that cannot be read.
 *
 * In WebAssembly's text format it is
 *
 * ```
 * (module
 *   (memory (export "memory") $pages $pages)
 *   (func (export "mask") (param $at i32) (param $end i32) (param $key i32) (local $keys v128) (local $last i32)
 *     ;; 64 bytes, 16 bytes, 4 bytes, one byte at a time, each as often as it fits; see `repeat` and `xor` below
 * ))
 * ```
 *
 * Memory is little-endian on every machine, so the key's lowest byte meets the first byte of the payload.
 *
 * @param pages the size of its memory in 64 KiB, which never changes: views of it stay valid
 */
export function createMaskModule(pages: number): Uint8Array<ArrayBuffer> {
  const body = [
    ...[2, 1, V128, 1, I32], // two groups of locals: $keys, $last
    ...[LOCAL_GET, KEY, ...I32X4_SPLAT, LOCAL_SET, KEYS],
    ...repeat(64, [...xor16(0), ...xor16(16), ...xor16(32), ...xor16(48)]),
    ...repeat(16, xor16(0)),
    ...repeat(4, xor(I32_LOAD, I32_STORE)),
    // A byte's key is the lowest of what is left of it.
    ...repeat(1, [...xor(I32_LOAD8_U, I32_STORE8), LOCAL_GET, KEY, I32_CONST, 8, I32_ROTR, LOCAL_SET, KEY]),
    END_OF_BLOCK,
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic number, version
    ...section(1, [1, FUNCTION_TYPE, 3, I32, I32, I32, 0]), // one type: three parameters, no result
    ...section(3, [1, 0]), // one function, of type 0
    ...section(5, [1, HAS_MAXIMUM, ...unsigned(pages), ...unsigned(pages)]), // one memory
    ...section(7, [2, ...name("memory"), MEMORY, 0, ...name("mask"), FUNCTION, 0]), // two exports
    ...section(10, [1, ...unsigned(body.length), ...body]), // one body
  ]);
}

// Parameters and locals by their index.
const AT = 0;
const END = 1;
const KEY = 2;
const KEYS = 3;
const LAST = 4;

// Numbers of the WebAssembly specification 2.0, §5.
const I32 = 0x7f;
const V128 = 0x7b;
const FUNCTION_TYPE = 0x60;
const HAS_MAXIMUM = 1;
const FUNCTION = 0;
const MEMORY = 2;
const BLOCK = 0x02;
const LOOP = 0x03;
const NO_RESULT = 0x40;
const END_OF_BLOCK = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_LOAD = 0x28;
const I32_LOAD8_U = 0x2d;
const I32_STORE = 0x36;
const I32_STORE8 = 0x3a;
const I32_CONST = 0x41;
const I32_GT_S = 0x4a;
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_XOR = 0x73;
const I32_ROTR = 0x78;
const V128_LOAD: readonly number[] = [0xfd, 0x00];
const V128_STORE: readonly number[] = [0xfd, 0x0b];
const I32X4_SPLAT: readonly number[] = [0xfd, 0x11];
const V128_XOR: readonly number[] = [0xfd, 0x51];

/** `last = end - size; while (at <= last) { body; at += size }` */
function repeat(size: number, body: readonly number[]): number[] {
  return [
    ...[LOCAL_GET, END, I32_CONST, ...signed(size), I32_SUB, LOCAL_SET, LAST],
    ...[BLOCK, NO_RESULT, LOOP, NO_RESULT],
    ...[LOCAL_GET, AT, LOCAL_GET, LAST, I32_GT_S, BR_IF, 1],
    ...body,
    ...[LOCAL_GET, AT, I32_CONST, ...signed(size), I32_ADD, LOCAL_SET, AT],
    ...[BR, 0, END_OF_BLOCK, END_OF_BLOCK],
  ];
}

/** `memory[at + offset] ^= keys`, 16 bytes, at any address. */
function xor16(offset: number): number[] {
  return [
    ...[LOCAL_GET, AT, LOCAL_GET, AT, ...V128_LOAD, 0, offset],
    ...[LOCAL_GET, KEYS, ...V128_XOR, ...V128_STORE, 0, offset],
  ];
}

/** `memory[at] ^= key` */
function xor(load: number, store: number): number[] {
  return [LOCAL_GET, AT, LOCAL_GET, AT, load, 0, 0, LOCAL_GET, KEY, I32_XOR, store, 0, 0];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  return [text.length, ...Array.from(text, (character) => character.charCodeAt(0))];
}

/** LEB128 of a number below 2^14. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

/** Signed LEB128 of a number from 0 to 8,191. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}
