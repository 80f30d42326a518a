/** A writer of the subset of ONNX that the network needs: nodes, weights, shapes (onnx.proto3, IR version 8). */
import { bytesField, floatField, intField } from '../protobuf';

/** A weight stored in the file. */
export interface Initialiser {
  name: string;
  dims: readonly number[];
  /** Little-endian bytes of the elements. */
  data: Uint8Array;
  type: 'float' | 'int64';
}

/** Attributes of a node: integers, lists of integers, text, or a float as `{ float }`. */
export type Attributes = Record<string, number | string | readonly number[] | { float: number }>;

/** An input or output: its name and sizes; a string names a dynamic size. */
export interface Port {
  name: string;
  shape: readonly (number | string)[];
  /** Default float. */
  type?: Initialiser['type'];
}

/** Location of a weight's bytes in an external data file, for models above protobuf's limit; null for a weight in the model file. */
export type Place = { file: string; offset: number } | null;

const FLOAT = 1;
const INT64 = 7;

function attribute(name: string, value: Attributes[string]): Buffer {
  const head = bytesField(1, name);
  if (typeof value === 'number') return Buffer.concat([head, intField(3, value), intField(20, 2)]);
  if (typeof value === 'string') return Buffer.concat([head, bytesField(4, value), intField(20, 3)]);
  if ('float' in value) return Buffer.concat([head, floatField(2, value.float), intField(20, 1)]);
  return Buffer.concat([head, ...value.map((v) => intField(8, v)), intField(20, 7)]);
}

function port({ name, shape, type: element = 'float' }: Port): Buffer {
  const dims = shape.map((d) => bytesField(1, typeof d === 'number' ? intField(1, d) : bytesField(2, d)));
  const type = Buffer.concat([intField(1, element === 'float' ? FLOAT : INT64), bytesField(2, Buffer.concat(dims))]);
  return Buffer.concat([bytesField(1, name), bytesField(2, bytesField(1, type))]);
}

function entry(key: string, value: string): Buffer {
  return Buffer.concat([bytesField(1, key), bytesField(2, value)]);
}

function tensorProto({ name, dims, data, type }: Initialiser, place: Place): Buffer {
  const head = [...dims.map((d) => intField(1, d)), intField(2, type === 'float' ? FLOAT : INT64), bytesField(8, name)];
  if (!place) return Buffer.concat([...head, bytesField(9, data)]);
  const where = { location: place.file, offset: String(place.offset), length: String(data.byteLength) };
  const entries = Object.entries(where).map(([key, value]) => bytesField(13, entry(key, value)));
  return Buffer.concat([...head, ...entries, intField(14, 1)]);
}

/** A graph under construction. A node's output has the node's name; names are unique. */
export class Graph {
  readonly initialisers: Initialiser[] = [];
  private readonly nodes: Buffer[] = [];
  private readonly names = new Set<string>();

  /** Adds a node with one output and returns the output's name. `where` is the layer that the node belongs to. */
  node(op: string, where: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const name = this.unique(`${where}/${op}`);
    this.addNamed(op, name, inputs, name, attributes);
    return name;
  }

  /** Adds the last node, whose output is the model's. */
  output(name: string, from: string): void {
    this.addNamed('Identity', this.unique(`${name}/Identity`), [from], name, {});
  }

  /** Adds a float weight and returns its name. */
  weight(name: string, dims: readonly number[], values: Float32Array): string {
    this.initialisers.push({
      name,
      dims,
      type: 'float',
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
    return name;
  }

  /** Returns the name of an integer constant, such as a shape; equal ones are shared. */
  ints(values: readonly number[]): string {
    const name = `ints/${values.join('_') || 'none'}`;
    if (this.names.has(name)) return name;
    this.names.add(name);
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initialisers.push({ name, dims: [values.length], type: 'int64', data });
    return name;
  }

  /** Returns the name of a float scalar; equal ones are shared. */
  scalar(value: number): string {
    const name = `float/${value}`;
    if (!this.names.has(name)) this.weight(name, [], Float32Array.of(value));
    this.names.add(name);
    return name;
  }

  /** The model's bytes. `placeOf` returns the location of a weight in the external data file. */
  encode(
    about: { opset: number; producer: string; version: string; metadata: Readonly<Record<string, string>> },
    [input, output]: [Port, Port],
    placeOf: (weight: Initialiser) => Place,
  ): Buffer {
    const graph = [
      ...this.nodes.map((node) => bytesField(1, node)),
      bytesField(2, 'morphmlp'),
      ...this.initialisers.map((weight) => bytesField(5, tensorProto(weight, placeOf(weight)))),
      bytesField(11, port(input)),
      bytesField(12, port(output)),
    ];
    const opset = Buffer.concat([bytesField(1, ''), intField(2, about.opset)]);
    const model = [intField(1, 8), bytesField(2, about.producer), bytesField(3, about.version)];
    const metadata = Object.entries(about.metadata).map(([key, value]) => bytesField(14, entry(key, value)));
    return Buffer.concat([...model, bytesField(7, Buffer.concat(graph)), bytesField(8, opset), ...metadata]);
  }

  private addNamed(op: string, name: string, inputs: readonly string[], output: string, attributes: Attributes): void {
    const parts = [
      ...inputs.map((i) => bytesField(1, i)),
      bytesField(2, output),
      bytesField(3, name),
      bytesField(4, op),
    ];
    const own = Object.entries(attributes).map(([key, value]) => bytesField(5, attribute(key, value)));
    this.nodes.push(Buffer.concat([...parts, ...own]));
  }

  private unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.names.has(name); i++) name = `${wanted}_${i}`;
    this.names.add(name);
    return name;
  }
}
