/** Stores for Weft. */
export * as InprocBackend from "./InprocBackend.ts"
export * as FileBackend from "./FileBackend.ts"
