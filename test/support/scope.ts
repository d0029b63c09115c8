import { afterEach } from "vitest";

/** Ends, after each test, what it made: last made, first ended. */
export function createScope(): <T extends { close?(): unknown; destroy?(): unknown }>(resource: T) => T {
  let resources: { close?(): unknown; destroy?(): unknown }[] = [];
  afterEach(async () => {
    const ending = resources.reverse();
    resources = [];
    for (const resource of ending) await (resource.destroy ? resource.destroy() : resource.close?.());
  });
  return (resource) => {
    resources.push(resource);
    return resource;
  };
}
