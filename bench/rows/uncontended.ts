/** Row 7: one fiber, one transaction that gets and sets one cell, on the store in memory. */
import type { Row } from "../lib.ts"
import { effectTx, five, plainStm } from "./peers.ts"
import { getSet } from "./ours.ts"

const number = { peer: effectTx(0, (n) => n + 1), limit: plainStm }

export const row: Row = {
  id: "7",
  title: "uncontended transaction in process",
  workloads: [
    {
      name: "get and set of a number",
      unit: "perSecond",
      ours: getSet("number", 0),
      ...number,
      targets: [{ of: "peer", floor: 1, aim: 1.5 }]
    },
    {
      name: "get and set of a number, encoded at set",
      unit: "perSecond",
      ours: getSet("number", 0, "at set"),
      ...number,
      targets: [{ of: "peer", floor: 1, aim: 1.5 }]
    },
    {
      name: "get and set of a struct of five fields",
      unit: "perSecond",
      ours: getSet("struct", 0),
      peer: effectTx(five, (value) => ({ ...value, id: value.id + 1 })),
      targets: [{ of: "peer", floor: 0.7, aim: 1 }]
    },
    {
      name: "the same number beside 1 MB of other cells",
      unit: "perSecond",
      ours: getSet("number", 1_000_000),
      peer: { ...getSet("number", 1_000), name: "ours beside 1 kB" },
      targets: [{ of: "peer", floor: 0.9, aim: 0.97 }]
    }
  ]
}
