// Taken apart, since the bundler replaces `Symbol.dispose` by these names everywhere.
const { dispose, asyncDispose } = Symbol as Partial<SymbolConstructor>;

/** Stand-ins for engines without them, which are not put on `Symbol`. */
export const symbolDispose: symbol = dispose ?? Symbol.for("Symbol.dispose");
export const symbolAsyncDispose: symbol = asyncDispose ?? Symbol.for("Symbol.asyncDispose");
