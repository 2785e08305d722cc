/** Raft: the protocol core. The driver, the log storages and the simulation stand in modules of their own. */
export * from "./core/Bytes.ts"
export * from "./core/Codec.ts"
export * from "./core/Configurations.ts"
export * from "./core/invariant.ts"
export * from "./core/Raft.ts"
export * from "./core/Render.ts"
export * from "./core/Replica.ts"
export * from "./core/Types.ts"
