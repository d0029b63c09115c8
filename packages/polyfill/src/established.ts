/** Takes the place of streams/established.ts in the bundle. */
export class Established {
  constructor(connection: unknown, info: object) {
    Object.assign(this, info, { connection });
  }
}
