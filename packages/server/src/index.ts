/** RPC servers and clients for Weft. */
export * as Collections from "./Collections.ts"
export type { Client, Rpcs, Services } from "./Calls.ts"
export { Remote, type RemoteOptions } from "./Remote.ts"
