/** Scripts of log storage calls, drawn from a seed, and the oracle that says what a log must hold after each of them. */
import { Result } from "effect"
import type { PersistWork, Restored, SnapshotMeta } from "../../src/core/Types.ts"
import type { Done, LogStorage, LogStorageError } from "../../src/LogStorage.ts"
import { MemoryDisk } from "../../src/MemoryLogStorage.ts"
import { entry, hardState, snapshot, work } from "../../testing/logStorage/support.ts"
import type { SeededRandom } from "../../testing/sim/Random.ts"

export type Step =
  | { readonly op: "persist"; readonly works: ReadonlyArray<PersistWork> }
  | {
      readonly op: "piece"
      readonly stage: "arrived" | "made"
      readonly meta: SnapshotMeta
      readonly offset: number
      readonly data: Uint8Array
    }
  | { readonly op: "install"; readonly meta: SnapshotMeta; readonly keepLog: boolean }
  | { readonly op: "adopt"; readonly meta: SnapshotMeta }

export const runStep = (log: LogStorage, step: Step, done: Done<void>): void => {
  switch (step.op) {
    case "persist":
      return log.persist(step.works, done)
    case "piece":
      return log.storePiece(step.stage, { meta: step.meta, offset: step.offset, data: step.data }, done)
    case "install":
      return log.install({ meta: step.meta, keepLog: step.keepLog }, done)
    case "adopt":
      return log.adopt(step.meta, done)
  }
}

/** For storages that answer before the call returns. Throws the failure. */
export const runNow = (log: LogStorage, step: Step): void => {
  let result: Result.Result<void, LogStorageError> | undefined
  runStep(log, step, (answer) => (result = answer))
  if (result === undefined) throw new Error("the storage did not answer at once")
  if (Result.isFailure(result)) throw result.failure
}

/** What a fresh log holds after 0, 1, 2, ... of the steps. */
export const expectations = (steps: ReadonlyArray<Step>): ReadonlyArray<Restored> => {
  const disk = new MemoryDisk()
  const look = (): Restored => {
    disk.crash()
    return disk.open().restored
  }
  const states = [look()]
  const open = disk.open.bind(disk)
  for (const step of steps) {
    disk.crash()
    runNow(open(), step)
    states.push(look())
  }
  return states
}

interface Shadow {
  first: number
  last: number
  snapshot: number
  term: number
}

const randomWork = (random: SeededRandom, shadow: Shadow, bytesMax: number): PersistWork => {
  let truncateFrom = 0
  const floor = Math.max(shadow.first, shadow.snapshot + 1)
  if (random.below(4) === 0 && shadow.last >= floor) {
    truncateFrom = random.between(floor, shadow.last)
    shadow.last = truncateFrom - 1
    shadow.term++
  }
  const count = random.below(3) === 0 ? 0 : random.between(1, 6)
  const entries = Array.from({ length: count }, (_, at) =>
    entry(shadow.last + 1 + at, shadow.term, random.below(bytesMax))
  )
  shadow.last += count
  let compactTo = 0
  if (random.below(5) === 0 && shadow.snapshot >= shadow.first) {
    compactTo = random.between(shadow.first, shadow.snapshot)
    shadow.first = compactTo + 1
  }
  const voted =
    random.below(3) === 0 ? hardState(shadow.term, `n${random.below(5)}`, { commit: shadow.snapshot }) : undefined
  return work({ hardState: voted, truncateFrom, entries, compactTo })
}

const randomSnapshot = (random: SeededRandom, shadow: Shadow): ReadonlyArray<Step> => {
  const made = random.below(2) === 0
  if (made && shadow.last < Math.max(1, shadow.snapshot)) return []
  const index = made
    ? random.between(Math.max(1, shadow.snapshot), shadow.last)
    : random.between(Math.max(1, shadow.snapshot), shadow.last + 8)
  const { data, meta } = snapshot(index, shadow.term, random.between(0, 900))
  const size = random.between(100, 500)
  const steps: Array<Step> = []
  const stage = made ? "made" : "arrived"
  for (let offset = 0; offset === 0 || offset < data.length; offset += size) {
    steps.push({ op: "piece", stage, meta, offset, data: data.subarray(offset, offset + size) })
  }
  // Sometimes the transfer is given up.
  if (random.below(6) === 0) return steps
  const keepLog = !made && index <= shadow.last && random.below(2) === 0
  steps.push(made ? { op: "adopt", meta } : { op: "install", meta, keepLog })
  shadow.snapshot = index
  if (!made) {
    shadow.first = index + 1
    if (!keepLog) shadow.last = index
  }
  return steps
}

/** A script that no storage refuses. */
export const randomScript = (random: SeededRandom, length: number, bytesMax = 200): ReadonlyArray<Step> => {
  const shadow: Shadow = { first: 1, last: 0, snapshot: 0, term: 1 }
  const steps: Array<Step> = []
  while (steps.length < length) {
    if (random.below(5) === 0) steps.push(...randomSnapshot(random, shadow))
    else {
      const works = Array.from({ length: random.between(1, 3) }, () => randomWork(random, shadow, bytesMax))
      steps.push({ op: "persist", works })
    }
  }
  return steps
}
