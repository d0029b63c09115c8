import { createChart } from "./chart.ts";
import { type Link, openPlain, openWithFlowControl } from "./links.ts";

const MIB = 1_048_576;

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** 0 stops; then from 16 KiB/s to 16 MiB/s in even steps of a logarithm. */
function toSpeed(position: string): number {
  const step = Number(position);
  return step === 0 ? 0 : 16_384 * 2 ** ((step - 1) / 2);
}

function formatBytes(bytes: number): string {
  const value = Math.abs(bytes) < MIB ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(1)} MiB`;
  return value;
}

class Panel {
  readonly #root: HTMLElement;
  readonly #open: (id: string) => Promise<Link>;
  readonly #chart: ReturnType<typeof createChart>;
  readonly #id: string;
  #link: Link | null = null;
  #last = { at: performance.now(), received: 0, read: 0 };

  constructor(name: string, open: (id: string) => Promise<Link>) {
    this.#root = element(name);
    this.#open = open;
    this.#id = `${name}-${Math.random().toString(36).slice(2)}`;
    this.#chart = createChart(this.#root.querySelector(".chart") as HTMLElement);
  }

  async start(): Promise<void> {
    try {
      this.#link = await this.#open(this.#id);
    } catch (error) {
      this.#show("state", `could not connect: ${String(error)}`);
    }
  }

  setSpeeds(reading: number, serverReading: number): void {
    if (this.#link === null) return;
    this.#link.pace.bytesPerSecond = reading;
    void fetch(`speed?id=${this.#id}&value=${serverReading}`, { method: "POST" });
  }

  async update(): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    const server = await (await fetch(`stats?id=${this.#id}`)).json();
    const { received, read, waiting, credit, unsent, end } = link.state();
    const now = performance.now();
    const seconds = (now - this.#last.at) / 1000;
    const readRate = (read - this.#last.read) / seconds;
    const receivedRate = (received - this.#last.received) / seconds;
    this.#last = { at: now, received, read };
    this.#show("state", end ?? link.description);
    this.#show("rate", `${formatBytes(readRate)}/s`);
    this.#show("waiting", formatBytes(waiting));
    this.#show("credit", credit === null ? "none" : formatBytes(Math.max(0, credit)));
    this.#show("way", server === null ? "–" : formatBytes(Math.max(0, server.sent - received - server.waiting)));
    this.#show("server", server === null ? "–" : formatBytes(server.waiting));
    this.#show("unsent", formatBytes(unsent));
    this.#chart.add(now / 1000, waiting / MIB, receivedRate / MIB, readRate / MIB);
  }

  #show(name: string, text: string): void {
    const target = this.#root.querySelector(`[data-show="${name}"]`);
    if (target !== null && target.textContent !== text) target.textContent = text;
  }
}

const panels = [new Panel("flow", openWithFlowControl), new Panel("plain", openPlain)];
const reading = element<HTMLInputElement>("reading");
const serverReading = element<HTMLInputElement>("server-reading");

function applySpeeds(): void {
  const [ours, theirs] = [toSpeed(reading.value), toSpeed(serverReading.value)];
  for (const [input, speed] of [
    [reading, ours],
    [serverReading, theirs],
  ] as const) {
    const text = speed === 0 ? "stopped" : `${formatBytes(speed)}/s`;
    input.setAttribute("aria-valuetext", text);
    element(`${input.id}-value`).textContent = text;
  }
  for (const panel of panels) panel.setSpeeds(ours, theirs);
}

reading.addEventListener("input", applySpeeds);
serverReading.addEventListener("input", applySpeeds);
await Promise.all(panels.map((panel) => panel.start()));
applySpeeds();
for (;;) {
  await Promise.all(panels.map((panel) => panel.update()));
  await new Promise((resolve) => setTimeout(resolve, 250));
}
