// Puts the compose plugin of Debian's package docker-compose into the folder named by the first argument.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDebianPackage } from '../apps/cli/src/lab/debian-package.ts';

const [plugins] = process.argv.slice(2);
if (!plugins) throw new Error('usage: compose.ts FOLDER');
const folder = await mkdtemp(join(tmpdir(), 'synod-compose-'));
try {
  console.error('ci: fetching the package docker-compose of Debian testing …');
  const root = await unpackDebianPackage('docker-compose', folder, { suite: 'testing' });
  await copyFile(join(root, 'usr/libexec/docker/cli-plugins/docker-compose'), join(plugins, 'docker-compose'));
} finally {
  await rm(folder, { recursive: true, force: true });
}
