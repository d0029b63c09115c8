import { WebSocketStream } from "sluice";

export const closeCode: string = (await new WebSocketStream("ws://localhost").closed).closeCode;
