// Taken apart, since the bundler replaces `Symbol.asyncDispose` by the name below everywhere.
const { asyncDispose } = Symbol as Partial<SymbolConstructor>;

/** A stand-in for engines without it, which is not put on `Symbol`. */
export const symbolAsyncDispose: symbol = asyncDispose ?? Symbol.for("Symbol.asyncDispose");
