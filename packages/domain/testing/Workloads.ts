/** Workloads with invariants, over a `Store` and names of cells; see `workloads/harness.ts`. */
export {
  Aborted,
  type Attempts,
  type Context,
  maybeAbort,
  pause,
  run,
  type RunOptions,
  statusOf,
  transact,
  type Workload
} from "./workloads/harness.ts"
export { bag } from "./workloads/bag.ts"
export { bank } from "./workloads/bank.ts"
export { cycle } from "./workloads/cycle.ts"
export { listAppend } from "./workloads/listAppend.ts"
export { longFork } from "./workloads/longFork.ts"
export { opacity } from "./workloads/opacity.ts"
export { register } from "./workloads/register.ts"
export { writeSkew } from "./workloads/writeSkew.ts"
