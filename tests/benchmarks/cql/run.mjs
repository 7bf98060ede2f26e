// node run.mjs REQUEST.json TIMES, in a folder with node_modules of
//   npm install cql-execution cql-exec-fhir @cqframework/cql
// Translates Twelve.cql, evaluates the chart of a hook request, and prints one line of JSON: the
// twelve answers, and the milliseconds of CPU that one patient takes from parsed JSON to answers.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [, , request, times] = process.argv;
const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(process.cwd(), "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

// CQL to ELM
const { createLibrarySourceProvider, createModelInfoProvider, createUcumService, CqlTranslator, LibraryManager, ModelManager, stringAsSource } =
  await load("@cqframework/cql/cql-to-elm");
const { SystemModelInfoProvider } = await load("@cqframework/cql/cql");
const fhirModel = join(dirname(require.resolve("cql-exec-fhir/package.json")), "lib/modelInfos/fhir-modelinfo-4.0.1.xml");
const models = new ModelManager();
models.modelInfoLoader.registerModelInfoProvider(new SystemModelInfoProvider());
models.modelInfoLoader.registerModelInfoProvider(
  createModelInfoProvider((id) => (id === "FHIR" ? stringAsSource(readFileSync(fhirModel, "utf8")) : null)),
);
const source = (id) => readFileSync(join(here, `${id}.cql`), "utf8");
const asItIs = (value) => value;
const libraries = new LibraryManager(models, undefined, undefined, createUcumService(asItIs, () => null, asItIs, asItIs));
libraries.librarySourceLoader.registerProvider(createLibrarySourceProvider((id) => stringAsSource(source(id))));
const elm = Object.fromEntries(
  ["FHIRHelpers", "Twelve"].map((id) => {
    const made = CqlTranslator.fromText(source(id), libraries);
    const faults = [...made.exceptions.asJsReadonlyArrayView()].map((one) => one.message ?? String(one));
    if (faults.length) console.error(id, faults.join("; "));
    return [id, JSON.parse(made.toJson())];
  }),
);

// Execution
const cql = require("cql-execution");
const fhir = require("cql-exec-fhir");
const rxnorm = (codes) => codes.map((code) => ({ code, system: "http://www.nlm.nih.gov/research/umls/rxnorm", version: "1" }));
const executor = new cql.Executor(
  new cql.Library(elm.Twelve, new cql.Repository({ FHIRHelpers: elm.FHIRHelpers })),
  new cql.CodeService({
    "urn:benchmark:strong-cyp3a4-inhibitors": { 1: rxnorm(["21212", "6135", "28031", "121243", "85762", "343047"]) },
    "urn:benchmark:strong-cyp3a4-inducers": { 1: rxnorm(["2002", "8134", "8183", "55672", "9384"]) },
  }),
);
const { prefetch } = JSON.parse(readFileSync(request, "utf8"));
const entry = [{ resource: prefetch.patient }];
for (const value of Object.values(prefetch)) entry.push(...(value.entry ?? []));
const bundle = { resourceType: "Bundle", type: "collection", entry };
const names = Array.from({ length: 12 }, (_, place) => `C${String(place + 1).padStart(2, "0")}`);

async function evaluated() {
  const patients = fhir.PatientSource.FHIRv401();
  patients.loadBundles([bundle]);
  const { patientResults } = await executor.exec(patients);
  const [found] = Object.values(patientResults);
  return names.map((name) => found[name]);
}

const answers = await evaluated();
await evaluated();
const spent = [];
for (let turn = 0; turn < Number(times); turn++) {
  const before = process.cpuUsage();
  await evaluated();
  const { user, system } = process.cpuUsage(before);
  spent.push((user + system) / 1e3);
}
console.log(JSON.stringify({ answers, spent }));
