/**
 * The exported kit of `@weft/domain`: what a store, a collection or a program is tested with. Each module is also a
 * subpath. `BackendSuite` registers tests with vitest, an optional peer; the rest needs no test runner.
 */
export * as BackendSuite from "./BackendSuite.ts"
