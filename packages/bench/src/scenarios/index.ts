import { echo, latency } from "./echo.ts";
import { broadcast, handshakes, idle } from "./many.ts";
import { connections, deflate, oneWay, oneWayTls, pipe } from "./one-way.ts";
import { slowConsumer, stopReading } from "./pressure.ts";
import type { Scenario } from "./scenario.ts";

/** All scenarios, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  oneWay,
  latency,
  echo,
  connections,
  broadcast,
  handshakes,
  idle,
  deflate,
  slowConsumer,
  stopReading,
  pipe,
  oneWayTls,
];
