/** A worker process of `workerSum.ts`: `sumProcess.ts STORE`. */
import * as Backends from "@weft/backends/Backends"
import { Store } from "@weft/domain/Store"
import * as WorkerHost from "@weft/tuplespace/WorkerHost"
import { breaking, folder } from "./sumWorkers.ts"

await WorkerHost.serve([folder, breaking], Store.layer(Backends.layer(process.argv[2] ?? "")))
