/** The subprotocol that both sides must agree on. The version is in the name, so there is no version record. */
export const FLOW_PROTOCOL = "wsflow.v1";

const CARRIER = `${FLOW_PROTOCOL}+`;

/**
 * The subprotocols to offer so that a server that knows flow control can choose it, and any other still finds the
 * application's own names.
 *
 * @param protocols what the application offers, already validated
 * @param isRequired true: the names without flow control are left out, so a server that does not know it cannot be used
 */
export function offerFlowProtocols(protocols: readonly string[], isRequired: boolean): string[] {
  if (protocols.length === 0) return [FLOW_PROTOCOL];
  const carried = protocols.map((name) => CARRIER + name);
  return isRequired ? carried : [...carried, ...protocols];
}

/** The application protocol that a selected subprotocol carries (`""` for none), or null where it is not flow control. */
export function carriedProtocol(selected: string): string | null {
  if (selected === FLOW_PROTOCOL) return "";
  return selected.startsWith(CARRIER) ? selected.slice(CARRIER.length) : null;
}

/**
 * The server's half: which subprotocol to select when the application chose one of the names that flow control does not
 * wrap.
 *
 * @param offered what the client offered
 * @param chosen the application's choice among {@link plainProtocols}, or undefined for none
 * @returns the name to select, or undefined to select none
 */
export function selectFlowProtocol(offered: readonly string[], chosen: string | undefined): string | undefined {
  const wrapped = chosen === undefined || chosen === "" ? FLOW_PROTOCOL : CARRIER + chosen;
  return offered.includes(wrapped) ? wrapped : chosen;
}

/** The offer as the application sees it: carried names are unwrapped, each name appears once, in the client's order. */
export function plainProtocols(offered: readonly string[]): string[] {
  const names = new Set<string>();
  for (const name of offered) {
    const carried = carriedProtocol(name);
    if (carried === null) names.add(name);
    else if (carried !== "") names.add(carried);
  }
  return [...names];
}
