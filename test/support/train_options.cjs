/** Trains with the options in the JSON file of the first argument, by the built program. */
const fs = require('node:fs');
const path = require('node:path');
const { Run } = require(path.join(__dirname, '..', '..', 'dist', 'train', 'run.js'));

const run = new Run(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')), {});
run.train().then(() => run.dispose());
