/** The in-process store keeps the contract: with its usual limits, and with small ones, so that it forgets. */
import * as Layer from "effect/Layer"
import { Backend } from "@weft/domain/Backend"
import { Machine, type Options } from "@weft/domain/core/Machine"
import { make as version } from "@weft/domain/core/Version"
import { suite } from "@weft/domain/testing/BackendSuite"
import * as InprocBackend from "../src/InprocBackend.ts"

/** A machine that outlives its Layer, so that it can come back under a new epoch. */
const place = (options: Options) => {
  const machine = new Machine(options)
  const layer = Layer.sync(Backend, () => InprocBackend.of(machine))
  const newEpoch = Layer.sync(Backend, () => {
    machine.raiseEpoch()
    return InprocBackend.of(machine)
  })
  return { layer, newEpoch }
}

const small = {
  keyBytes: 64,
  valueBytes: 100_000,
  requestBytes: 200_000,
  requestWrites: 400,
  batchRequests: 64,
  deleteRangeKeys: 500,
  outcomesPerSession: 64,
  sessions: 32,
  recentCommits: 100
}

suite("inproc", { layer: () => InprocBackend.layer() })
suite("inproc with small limits, in a later epoch", { layer: () => place({ limits: small, version: version(2, 0) }) })
