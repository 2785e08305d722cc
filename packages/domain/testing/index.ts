/**
 * The exported kit of `@weft/domain`: what a store, a collection or a program is tested with. Each module is also a
 * subpath. `BackendSuite` registers tests with vitest, an optional peer; the rest needs no test runner.
 */
export * as BackendSuite from "./BackendSuite.ts"
export * as Cells from "./Cells.ts"
export * as CollectionSuite from "./CollectionSuite.ts"
export * as CoordinationSuite from "./CoordinationSuite.ts"
export * as FaultyBackend from "./FaultyBackend.ts"
export * as History from "./History.ts"
export * as Interleavings from "./Interleavings.ts"
export * as Interruptions from "./Interruptions.ts"
export * as LockModels from "./LockModels.ts"
export * as LockSuite from "./LockSuite.ts"
export * as ModelChecker from "./ModelChecker.ts"
export * as ModelStore from "./ModelStore.ts"
export * as Prng from "./Prng.ts"
export * as Programs from "./Programs.ts"
export * as Serializability from "./Serializability.ts"
export * as SessionSuite from "./SessionSuite.ts"
export * as Sim from "./Sim.ts"
export * as Workloads from "./Workloads.ts"
