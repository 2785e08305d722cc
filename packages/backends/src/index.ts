/** Stores for Weft, by name or by module. */
export * as Backends from "./Backends.ts"
export { BackendRegistry, type Plugin } from "./BackendRegistry.ts"
export * as FileBackend from "./FileBackend.ts"
export * as InprocBackend from "./InprocBackend.ts"
