/** Row 8: 64 fibers increment, with a yield between get and set, so that every other fiber may come between. */
import type { Row } from "../lib.ts"
import { contended } from "./ours.ts"
import { txRefContended } from "./peers.ts"

export const row: Row = {
  id: "8",
  title: "contended counter in process",
  workloads: [
    {
      name: "64 fibers, one cell, a yield inside",
      unit: "perSecond",
      ours: contended("one"),
      peer: txRefContended("one"),
      limit: txRefContended("own"),
      targets: [{ of: "peer", floor: 5, aim: 10 }],
      bounds: [
        { of: "attempts", max: 1.2, aim: 1.1 },
        { of: "fairness", min: 0.5 }
      ]
    },
    {
      name: "64 fibers, a cell each, a yield inside",
      unit: "perSecond",
      ours: contended("own"),
      peer: txRefContended("own"),
      bounds: [{ of: "attempts", max: 1.01 }]
    }
  ]
}
