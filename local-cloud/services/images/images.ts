/** The images that every zone has. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Image as Contents } from "../../network/picture.ts";
import { type Handler, type Handlers, timestamp } from "../context.ts";
import { notFound } from "../errors.ts";
import { page } from "../listing.ts";

interface Image {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly contents: Contents;
}

/** When the images were made: the same in every home. */
const createTime = Date.UTC(2025, 0, 1);

const images: readonly Image[] = [
  {
    id: "img-deeplearning",
    name: "Deep learning: Python 3 and PyTorch",
    description:
      "Debian with Python 3, PyTorch and an SSH server, the guide's scripts in /home/ubuntu/test/pytorch",
    contents: "deep-learning",
  },
  {
    id: "img-bare",
    name: "Bare",
    description: "Debian with Python 3 and an SSH server, without PyTorch",
    contents: "bare",
  },
];

/** The image, or the error that it does not exist. */
export function needImage(id: string): Image {
  const image = images.find((candidate) => candidate.id === id);
  if (image === undefined) throw notFound("image", id);
  return image;
}

/** An image as it stands inside an instance. */
export function describeImage(id: string) {
  return {
    image_id: id,
    image_name: images.find((image) => image.id === id)?.name ?? "",
    image_size: 20,
    processor_type: "64bit",
    platform: "linux",
    os_family: "debian",
    provider: "system",
  };
}

const describeImages: Handler<typeof actions.DescribeImages> = (request, context) => {
  const word = request.search_word?.toLowerCase();
  const matches = images.filter(
    ({ id, name }) =>
      request.tags === undefined &&
      (request.owner === undefined || request.owner === "system") &&
      (request.images === undefined || request.images.includes(id)) &&
      (request.status === undefined || request.status.includes("available")) &&
      (request.provider === undefined || request.provider === "system") &&
      (request.visibility === undefined || request.visibility === "public") &&
      (request.processor_type === undefined || request.processor_type === "64bit") &&
      (request.os_family === undefined || request.os_family === "debian") &&
      (word === undefined || id.includes(word) || name.toLowerCase().includes(word)),
  );
  const { items, total_count } = page(matches, { ...request, owner: undefined });
  return {
    image_set: items.map(({ id, description }) => {
      const { image_size, ...common } = describeImage(id);
      return {
        ...common,
        description,
        size: image_size,
        visibility: "public",
        owner: "system",
        recommended_type: "g2ntp100.4xlarge.r4",
        status: "available",
        transition_status: "",
        sub_code: 0,
        zone_id: context.zone,
        create_time: timestamp(createTime),
        status_time: timestamp(createTime),
      };
    }),
    total_count,
  };
};

export const imageHandlers = { DescribeImages: describeImages } satisfies Partial<Handlers>;
