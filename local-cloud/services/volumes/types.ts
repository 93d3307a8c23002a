/** The types of volumes and the sizes that each can have. Ours: the API's documentation names no sizes for types. */
import { badValue } from "../errors.ts";

interface VolumeType {
  readonly type: number;
  /** GB. */
  readonly minimum: number;
  readonly maximum: number;
}

/** GB that sizes are multiples of. */
export const sizeStep = 10;

const performance = [0, 3].map((type) => ({ type, minimum: 10, maximum: 1000 }));
const capacity = [1, 2].map((type) => ({ type, minimum: 100, maximum: 5000 }));
const enterprise = [5, 6, 100, 200].map((type) => ({ type, minimum: 10, maximum: 2000 }));

export const volumeTypes: readonly VolumeType[] = [...performance, ...capacity, ...enterprise].sort(
  (a, b) => a.type - b.type,
);

export function readVolumeType(given: number): VolumeType {
  const found = volumeTypes.find(({ type }) => type === given);
  if (found === undefined) {
    throw badValue("volume_type", given, volumeTypes.map(({ type }) => type).join(", "));
  }
  return found;
}

/** Refuses a size that volumes of this type can not have. */
export function checkSize(size: number, { type, minimum, maximum }: VolumeType): void {
  if (size < minimum || size > maximum || size % sizeStep !== 0) {
    throw badValue(
      "size",
      size,
      `multiples of ${sizeStep} from ${minimum} to ${maximum} for volume_type ${type}`,
    );
  }
}
