import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { requireOffered, selectProtocol } from "./subprotocol.ts";

const request = new IncomingMessage(new Socket());

describe("RFC 6455 §4.2.2 subprotocol (H26)", () => {
  it.each([
    [["b", "a"], ["a", "b"], "b"],
    [["c", "a"], ["a", "b"], "a"],
    [["c"], ["a", "b"], ""],
    [["A"], ["a"], ""],
    [["a"], [], ""],
    [undefined, ["a"], ""],
    [[], ["a"], ""],
  ])("preferences %j for an offer of %j: %j", (choice, offered, selected) => {
    expect(selectProtocol(choice, offered, request)).toBe(selected);
  });

  it("asks a function with offer and request, but not without an offer", () => {
    const seen: unknown[] = [];
    const choose = (...given: unknown[]): string | undefined => {
      seen.push(given);
      return "b";
    };
    expect(selectProtocol(choose, ["a", "b"], request)).toBe("b");
    expect(selectProtocol(choose, [], request)).toBe("");
    expect(seen).toEqual([[["a", "b"], request]]);
  });

  it("takes undefined from a function for none", () => {
    expect(selectProtocol(() => undefined, ["a"], request)).toBe("");
  });

  it("throws TypeError when a function picks what was not offered", () => {
    expect(() => selectProtocol(() => "x", ["a", "b"], request)).toThrow(
      'Cannot select subprotocol "x" as the client offered a, b',
    );
    expect(() => requireOffered("x", [])).toThrow('Cannot select subprotocol "x" as the client offered none');
    expect(requireOffered("", ["a"])).toBe("");
  });
});
