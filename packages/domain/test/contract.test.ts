/**
 * The oracle keeps the contract: the laws and what other stores are held against say the same.
 */
import * as Version from "../src/core/Version.ts"
import { suite } from "../testing/BackendSuite.ts"
import * as ModelBackend from "../testing/backend/ModelBackend.ts"

// The oracle never forgets a session: that law is left to stores that do.
const limits = {
  keyBytes: 64,
  valueBytes: 100_000,
  requestBytes: 200_000,
  requestWrites: 400,
  batchRequests: 64,
  deleteRangeKeys: 500,
  outcomesPerSession: 64,
  recentCommits: 100
}

suite("the oracle", { layer: () => ModelBackend.layer(limits, Version.make(1, 0)), lanes: ["effect"] })
