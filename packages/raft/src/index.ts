/** Raft: the protocol core. The driver, the log storages and the simulation stand in modules of their own. */
export * from "./core/Configurations.ts"
export * from "./core/invariant.ts"
export * from "./core/Raft.ts"
export * from "./core/Types.ts"
