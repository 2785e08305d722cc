/** Row 22: from a write to the fiber that waits for it, within one process. */
import type { Row } from "../lib.ts"
import { subscriptionRef, txRetry } from "./noticePeers.ts"
import { notice } from "./ours.ts"

export const row: Row = {
  id: "22",
  title: "notice of a change in process",
  workloads: [
    {
      name: "a fiber on the stream of changes",
      unit: "micros",
      ours: notice("changes"),
      peer: subscriptionRef,
      bounds: [{ of: "value", max: 10, aim: 5 }]
    },
    {
      name: "a blocked transaction",
      unit: "micros",
      ours: notice("retry"),
      peer: txRetry,
      bounds: [{ of: "value", max: 10, aim: 5 }]
    }
  ]
}
