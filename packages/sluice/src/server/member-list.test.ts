import { describe, expect, it } from "vitest";
import { type Member, MemberList } from "./member-list.ts";

const createMembers = (count: number): (Member & { id: number })[] =>
  Array.from({ length: count }, (_, id) => ({ id, place: -1 }));

describe("MemberList", () => {
  it("holds what was added and not deleted, whatever the order of deletion", () => {
    const members = createMembers(5);
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
      [2, 0, 4, 1, 3],
    ]) {
      const list = new MemberList<Member & { id: number }>();
      for (const member of members) list.add(member);
      const left = new Set(members);
      for (const id of order) {
        const member = members[id] as (typeof members)[0];
        expect(list.delete(member)).toBe(true);
        expect(list.delete(member)).toBe(false);
        left.delete(member);
        expect(new Set(list.toArray())).toEqual(left);
        expect(list.size).toBe(left.size);
      }
    }
  });

  it("a member of another list is none of this one", () => {
    const [one, other] = createMembers(2) as [Member & { id: number }, Member & { id: number }];
    const first = new MemberList<Member>();
    const second = new MemberList<Member>();
    first.add(one);
    second.add(other);
    expect([second.delete(one), first.delete(one), second.size]).toEqual([false, true, 1]);
  });

  it("toArray() is the caller's own", () => {
    const [one] = createMembers(1) as [Member & { id: number }];
    const list = new MemberList<Member>();
    list.add(one);
    list.toArray().length = 0;
    expect(list.size).toBe(1);
  });
});
