export * from "./ponyfill.js";
