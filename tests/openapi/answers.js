// Hold recorded answers against the description of the API.
//   node answers.js OPENAPI RECORDING...
// A recording has a line of JSON for each answer: {method, path, status, content_type, body}.
// Prints how many answers each operation had; fails if one is not as described, or if an operation has
// no success at all: what was never called was never checked.
'use strict';
const fs = require('fs');
const { default: Ajv2020 } = require('ajv/dist/2020');
const { default: addFormats } = require('ajv-formats');

const PROBLEMS_SHOWN = 40;

const [file, ...recordings] = process.argv.slice(2);
if (!file || recordings.length === 0) {
  console.error('usage: answers.js OPENAPI RECORDING...');
  process.exit(2);
}
const api = JSON.parse(fs.readFileSync(file, 'utf8'));

// Clients must ignore members they don't know; a check must not, or a misspelt one would pass.
function close(schema) {
  if (Array.isArray(schema)) return schema.forEach(close);
  if (schema === null || typeof schema !== 'object') return undefined;
  if (schema.properties && !('additionalProperties' in schema)) schema.additionalProperties = false;
  return Object.values(schema).forEach(close);
}
close(api.components.schemas);
Object.values(api.components.responses).forEach((response) => close(response.content));
Object.values(api.paths).forEach((item) =>
  Object.values(item).forEach((operation) =>
    Object.values(operation.responses).forEach((response) => close(response.content || {}))));

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: true, allowUnionTypes: true, allErrors: false });
addFormats(ajv);
ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'paths', 'components', 'security']);
ajv.addSchema(api, 'api');

// A schema by where it stands in the file, so that its references resolve.
const validators = new Map();
function validatorAt(pointer) {
  if (!validators.has(pointer)) validators.set(pointer, ajv.compile({ $ref: `api#${pointer}` }));
  return validators.get(pointer);
}

const step = (name) => name.replace(/~/g, '~0').replace(/\//g, '~1');

// {id} is one segment or two (SAGA/KEY); every other parameter is one. A verb belongs to no parameter.
function pattern(path) {
  const source = path
    .replace(/[.+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{id\}/g, '[^/:]+(?:/[^/:]+)?')
    .replace(/\{[^}]+\}/g, '[^/:]+');
  return new RegExp(`^${source}$`);
}
const operations = [];
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    operations.push({ path, method, operation, pattern: pattern(path), id: operation.operationId, seen: {} });
  }
}
// What has the most fixed letters is meant: {id}/steps rather than SAGA/KEY with a key of `steps`.
const fixed = (path) => path.replace(/\{[^}]+\}/g, '').length;
operations.sort((a, b) => fixed(b.path) - fixed(a.path));

function find(method, path) {
  const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
  return operations.find((o) => o.method === asked && o.pattern.test(path));
}

function resolve(object, pointer) {
  if (!object.$ref) return { object, pointer };
  const names = object.$ref.slice(2).split('/');
  return { object: names.reduce((value, name) => value[name], api), pointer: `/${names.map(step).join('/')}` };
}

// Query parameters of what was done must be described; one of an object (label.NAME) by its pattern.
function undescribed(operation, query) {
  const known = (operation.parameters || []).map((p) => resolve(p).object).filter((p) => p.in === 'query');
  return [...new Set(query.split('&').map((part) => part.split('=')[0]))].filter((name) =>
    name && !known.some((p) => p.name === name ||
      Object.keys(p.schema.patternProperties || {}).some((key) => new RegExp(key).test(name))));
}

function bodies(type, body) {
  if (type === 'application/x-ndjson') return body.split('\n').filter(Boolean).map(JSON.parse);
  return [type.endsWith('json') ? JSON.parse(body) : body];
}

function problemsOf(answer) {
  const [path, query = ''] = answer.path.split('?');
  const found = find(answer.method, path);
  if (!found) {
    // Nothing of this path or method is described: then there must be nothing.
    if (answer.status !== 404 && answer.status !== 405) return ['is not described at all'];
    const validate = validatorAt('/components/schemas/Problem');
    return validate(JSON.parse(answer.body)) ? [] : [ajv.errorsText(validate.errors)];
  }
  found.seen[answer.status] = (found.seen[answer.status] || 0) + 1;
  const at = `/paths/${step(found.path)}/${found.method}/responses/${answer.status}`;
  const described = found.operation.responses[answer.status];
  if (!described) return [`status ${answer.status} is not described`];
  if (answer.status < 400) {
    const unknown = undescribed(found.operation, query);
    if (unknown.length) return [`the query parameter ${unknown.join(', ')} is not described`];
  }
  const { object: response, pointer } = resolve(described, at);
  if (!response.content) return answer.body === '' ? [] : ['there is a body where none is described'];
  const type = (answer.content_type || '').split(';')[0].trim();
  if (!response.content[type]) return [`content type "${type}" of ${answer.status} is not described`];
  if (answer.method === 'HEAD') return answer.body === '' ? [] : ['HEAD with a body'];
  const validate = validatorAt(`${pointer}/content/${step(type)}/schema`);
  for (const body of bodies(type, answer.body)) {
    if (!validate(body)) {
      return validate.errors.map((e) => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`);
    }
  }
  return [];
}

let answers = 0;
let failed = 0;
for (const recording of recordings) {
  for (const line of fs.readFileSync(recording, 'utf8').split('\n').filter(Boolean)) {
    const answer = JSON.parse(line);
    answers += 1;
    let problems;
    try {
      problems = problemsOf(answer);
    } catch (error) {
      problems = [error.message];
    }
    if (problems.length === 0) continue;
    failed += 1;
    if (failed > PROBLEMS_SHOWN) continue;
    console.log(`${answer.method} ${answer.path} -> ${answer.status}`);
    problems.forEach((problem) => console.log(`    ${problem}`));
    console.log(`    ${answer.body.slice(0, 400)}`);
  }
}

let silent = 0;
for (const { method, path, id, seen } of operations.sort((a, b) => (a.path < b.path ? -1 : 1))) {
  const counts = Object.entries(seen).map(([status, count]) => `${status}: ${count}`).join('  ');
  const success = Object.keys(seen).some((status) => status < 400);
  if (!success) silent += 1;
  console.log(`${id.padEnd(20)} ${method.toUpperCase().padEnd(4)} ${path.padEnd(44)} ${counts}${success ? '' : '   NO SUCCESS RECORDED'}`);
}
console.log(`${answers} answers, ${failed} not as described; ${operations.length} operations, ${silent} without a success`);
process.exit(failed || silent || answers === 0 ? 1 : 0);
