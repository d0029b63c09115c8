// The interfaces that this library implements: WHATWG WebSockets, its proposed WebSocketStream, and MessageEvent of HTML.

dictionary WebSocketOpenInfo {
  ReadableStream readable;
  WritableStream writable;
  DOMString extensions;
  DOMString protocol;
};

dictionary WebSocketCloseInfo {
  [EnforceRange] unsigned short closeCode;
  USVString reason = "";
};

dictionary WebSocketStreamOptions {
  sequence<USVString> protocols;
  AbortSignal signal;
};

[Exposed=(Window,Worker)]
interface WebSocketStream {
  constructor(USVString url, optional WebSocketStreamOptions options = {});
  readonly attribute USVString url;
  readonly attribute Promise<WebSocketOpenInfo> opened;
  readonly attribute Promise<WebSocketCloseInfo> closed;
  undefined close(optional WebSocketCloseInfo closeInfo = {});
};

[Exposed=(Window,Worker)]
interface WebSocketError : DOMException {
  constructor(optional DOMString message = "", optional WebSocketCloseInfo init = {});
  readonly attribute unsigned short? closeCode;
  readonly attribute USVString reason;
};

enum BinaryType { "blob", "arraybuffer" };

[Exposed=(Window,Worker)]
interface WebSocket : EventTarget {
  constructor(USVString url, optional (DOMString or sequence<DOMString>) protocols = []);
  readonly attribute USVString url;

  const unsigned short CONNECTING = 0;
  const unsigned short OPEN = 1;
  const unsigned short CLOSING = 2;
  const unsigned short CLOSED = 3;
  readonly attribute unsigned short readyState;
  readonly attribute unsigned long long bufferedAmount;

  attribute EventHandler onopen;
  attribute EventHandler onerror;
  attribute EventHandler onclose;
  readonly attribute DOMString extensions;
  readonly attribute DOMString protocol;
  undefined close(optional [Clamp] unsigned short code, optional USVString reason);

  attribute EventHandler onmessage;
  attribute BinaryType binaryType;
  undefined send((BufferSource or Blob or USVString) data);
};

[Exposed=(Window,Worker)]
interface CloseEvent : Event {
  constructor(DOMString type, optional CloseEventInit eventInitDict = {});
  readonly attribute boolean wasClean;
  readonly attribute unsigned short code;
  readonly attribute USVString reason;
};

dictionary EventInit {
  boolean bubbles = false;
  boolean cancelable = false;
  boolean composed = false;
};

dictionary CloseEventInit : EventInit {
  boolean wasClean = false;
  unsigned short code = 0;
  USVString reason = "";
};

[Exposed=(Window,Worker,AudioWorklet)]
interface MessageEvent : Event {
  constructor(DOMString type, optional MessageEventInit eventInitDict = {});
  readonly attribute any data;
  readonly attribute USVString origin;
  readonly attribute DOMString lastEventId;
  readonly attribute MessageEventSource? source;
  readonly attribute FrozenArray<MessagePort> ports;
};

dictionary MessageEventInit : EventInit {
  any data = null;
  USVString origin = "";
  DOMString lastEventId = "";
  MessageEventSource? source = null;
  sequence<MessagePort> ports = [];
};
