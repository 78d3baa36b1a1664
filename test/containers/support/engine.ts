import { type ContainerRuntimeClient, getContainerRuntimeClient, ImageName } from 'testcontainers';

/** The image of a NATS server; CI names one of its own where this cannot be pulled. */
export const natsImage = process.env['SYNOD_NATS_IMAGE'] || 'nats:2.15';

/** A container engine that answers and has the image of NATS, or why there is none, in words. */
export async function findEngine(): Promise<ContainerRuntimeClient | string> {
  // Tests stop what they start; the reaper would be one more image to pull.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  let engine: ContainerRuntimeClient;
  try {
    engine = await getContainerRuntimeClient();
  } catch {
    return 'no container engine answers';
  }
  try {
    await engine.image.pull(ImageName.fromString(natsImage), { force: false, platform: undefined });
    return engine;
  } catch (error) {
    return `the container engine cannot have the image ${natsImage}: ${(error as Error).message}`;
  }
}
