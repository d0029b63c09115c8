/**
 * `Blob.prototype.arrayBuffer` in the hands of the model, which decides when the bytes of a Blob are there, and whether:
 * a file on a slow disk, or one that was changed meanwhile.
 */
export class BlobReads {
  readonly #original: typeof Blob.prototype.arrayBuffer = Blob.prototype.arrayBuffer;
  readonly #bytes: WeakMap<Blob, Uint8Array<ArrayBuffer>> = new WeakMap();
  #pending: ((isReadable: boolean) => void)[] = [];

  /** Takes over. */
  install(): void {
    const reads = this;
    Blob.prototype.arrayBuffer = function (this: Blob): Promise<ArrayBuffer> {
      const bytes = reads.#bytes.get(this);
      if (bytes === undefined) return reads.#original.call(this);
      return new Promise((resolve, reject) => {
        reads.#pending.push((isReadable) => {
          if (isReadable) resolve(bytes.buffer);
          else reject(new DOMException("The file has changed", "NotReadableError"));
        });
      });
    };
  }

  restore(): void {
    Blob.prototype.arrayBuffer = this.#original;
  }

  /** A Blob whose reading waits for {@link finish}. */
  create(bytes: Uint8Array<ArrayBuffer>): Blob {
    const blob = new Blob([bytes]);
    this.#bytes.set(blob, bytes.slice());
    return blob;
  }

  /** Ends the read that began first. @returns whether there was one */
  finish(isReadable: boolean): boolean {
    const read = this.#pending.shift();
    read?.(isReadable);
    return read !== undefined;
  }

  /** Reads a Blob that the model did not make. */
  read(blob: Blob): Promise<ArrayBuffer> {
    return this.#original.call(blob);
  }
}
