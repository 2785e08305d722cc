/** Stores for Weft. */
export * as InprocBackend from "./InprocBackend.ts"
