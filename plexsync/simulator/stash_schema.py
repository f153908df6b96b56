"""The schema of the simulated Stash: a subset of the real GraphQL schema, independently written.

Every type, field, argument, enum value and input field below exists in Stash with the same name and type, so a
query that is valid here is valid there. The opposite does not hold: everything that PlexSync does not use is left out.
"""

from functools import cache

from graphql import GraphQLSchema, build_schema

SDL = """
scalar Time
scalar Map
scalar Any
scalar Int64
scalar Timestamp
scalar PluginConfigMap

type Query {
  version: Version! systemStatus: SystemStatus! configuration: ConfigResult! findScene(id: ID, checksum: String): Scene
  findScenes(scene_filter: SceneFilterType, scene_ids: [Int!], ids: [ID!], filter: FindFilterType):
  FindScenesResultType! findPerformer(id: ID!): Performer findPerformers( performer_filter: PerformerFilterType, filter:
  FindFilterType, performer_ids: [Int!], ids: [ID!] ): FindPerformersResultType! findStudio(id: ID!): Studio
  findStudios(studio_filter: StudioFilterType, filter: FindFilterType, ids: [ID!]): FindStudiosResultType! findTag(id:
  ID!): Tag findTags(tag_filter: TagFilterType, filter: FindFilterType, ids: [ID!]): FindTagsResultType! findGroup(id:
  ID!): Group findGroups(group_filter: GroupFilterType, filter: FindFilterType, ids: [ID!]): FindGroupsResultType!
  findFiles(file_filter: FileFilterType, filter: FindFilterType, ids: [ID!]): FindFilesResultType!
  plugins: [Plugin!]
  directory(path: String, locale: String = "en"): Directory!
  jobQueue: [Job!] findJob(input: FindJobInput!): Job }

type Mutation {
  sceneCreate(input: SceneCreateInput!): Scene
  sceneUpdate(input: SceneUpdateInput!): Scene
  scenesUpdate(input: [SceneUpdateInput!]!): [Scene]
  bulkSceneUpdate(input: BulkSceneUpdateInput!): [Scene!]
  sceneMerge(input: SceneMergeInput!): Scene
  sceneDestroy(input: SceneDestroyInput!): Boolean!
  scenesDestroy(input: ScenesDestroyInput!): Boolean!
  sceneAddPlay(id: ID!, times: [Timestamp!]): HistoryMutationResult!
  sceneDeletePlay(id: ID!, times: [Timestamp!]): HistoryMutationResult!
  sceneSaveActivity(id: ID!, resume_time: Float, playDuration: Float): Boolean!
  sceneResetActivity(id: ID!, reset_resume: Boolean, reset_duration: Boolean): Boolean!
  performerCreate(input: PerformerCreateInput!): Performer
  performerUpdate(input: PerformerUpdateInput!): Performer
  performerDestroy(input: PerformerDestroyInput!): Boolean!
  studioCreate(input: StudioCreateInput!): Studio
  studioUpdate(input: StudioUpdateInput!): Studio
  studioDestroy(input: StudioDestroyInput!): Boolean!
  tagCreate(input: TagCreateInput!): Tag
  tagUpdate(input: TagUpdateInput!): Tag
  tagDestroy(input: TagDestroyInput!): Boolean!
  tagsMerge(input: TagsMergeInput!): Tag
  groupUpdate(input: GroupUpdateInput!): Group
  groupDestroy(input: GroupDestroyInput!): Boolean!
  configurePlugin(plugin_id: ID!, input: Map!): Map!
  runPluginTask(plugin_id: ID!, task_name: String, description: String, args_map: Map): ID!
  runPluginOperation(plugin_id: ID!, args: Map): Any
  stopJob(job_id: ID!): Boolean!
}

type Version { version: String  hash: String!  build_time: String! }

enum SystemStatusEnum { SETUP NEEDS_MIGRATION OK }

type SystemStatus {
  databaseSchema: Int
  databasePath: String
  configPath: String
  appSchema: Int!
  status: SystemStatusEnum!
  os: String!
  workingDir: String!
  homeDir: String!
}

type ConfigResult {
  general: ConfigGeneralResult!
  plugins(include: [ID!]): PluginConfigMap!
  ui: Map!
}

type Directory { path: String!  parent: String  directories: [String!]! }

type Plugin { id: ID!  name: String!  version: String  enabled: Boolean! }

type StashConfig { path: String!  excludeVideo: Boolean!  excludeImage: Boolean! }

type ConfigGeneralResult {
  stashes: [StashConfig!]!
  apiKey: String!
  username: String!
  databasePath: String!
  configFilePath: String!
  pluginsPath: String!
  parallelTasks: Int!
  maxSessionAge: Int!
}

type Scene {
  id: ID!
  title: String
  code: String
  details: String
  director: String
  urls: [String!]!
  date: String
  rating100: Int
  organized: Boolean!
  last_played_at: Time
  resume_time: Float
  play_duration: Float
  play_count: Int
  play_history: [Time!]!
  created_at: Time!
  updated_at: Time!
  files: [VideoFile!]!
  paths: ScenePathsType!
  studio: Studio
  groups: [SceneGroup!]!
  tags: [Tag!]!
  performers: [Performer!]!
  stash_ids: [StashID!]!
  galleries: [Gallery!]!
}

type Gallery { id: ID!  image_count: Int!  cover: Image }
type Image { id: ID!  created_at: Time!  updated_at: Time!  visual_files: [VisualFile!]! }
type ImageFile { format: String!  width: Int!  height: Int! }
union VisualFile = VideoFile | ImageFile

interface BaseFile {
  id: ID!
  path: String!
  basename: String!
  mod_time: Time!
  size: Int64!
  created_at: Time!
  updated_at: Time!
}

type VideoFile implements BaseFile {
  id: ID!
  path: String!
  basename: String!
  mod_time: Time!
  size: Int64!
  fingerprint(type: String!): String
  fingerprints: [Fingerprint!]!
  format: String!
  width: Int!
  height: Int!
  duration: Float!
  video_codec: String!
  audio_codec: String!
  created_at: Time!
  updated_at: Time!
}

type HistoryMutationResult { count: Int!  history: [Time!]! }
type Fingerprint { type: String!  value: String! }
type ScenePathsType { screenshot: String  stream: String }
type SceneGroup { group: Group!  scene_index: Int }
type StashID { endpoint: String!  stash_id: String!  updated_at: Time! }

enum GenderEnum { MALE FEMALE TRANSGENDER_MALE TRANSGENDER_FEMALE INTERSEX NON_BINARY }

type Performer {
  id: ID!
  name: String!
  disambiguation: String
  gender: GenderEnum
  alias_list: [String!]!
  details: String
  image_path: String
  scene_count: Int!
  image_count: Int!
  gallery_count: Int!
  group_count: Int!
  scenes: [Scene!]!
  created_at: Time!
  updated_at: Time!
}

type Studio {
  id: ID!
  name: String!
  parent_studio: Studio
  child_studios: [Studio!]!
  aliases: [String!]!
  details: String
  image_path: String
  scene_count(depth: Int): Int!
  image_count(depth: Int): Int!
  gallery_count(depth: Int): Int!
  performer_count(depth: Int): Int!
  group_count(depth: Int): Int!
  created_at: Time!
  updated_at: Time!
}

type Tag {
  id: ID!
  name: String!
  sort_name: String
  description: String
  aliases: [String!]!
  ignore_auto_tag: Boolean!
  image_path: String
  scene_count(depth: Int): Int!
  scene_marker_count(depth: Int): Int!
  image_count(depth: Int): Int!
  gallery_count(depth: Int): Int!
  performer_count(depth: Int): Int!
  studio_count(depth: Int): Int!
  group_count(depth: Int): Int!
  child_count: Int!
  parents: [Tag!]!
  children: [Tag!]!
  created_at: Time!
  updated_at: Time!
}

type Group {
  id: ID!
  name: String!
  aliases: String
  date: String
  synopsis: String
  studio: Studio
  front_image_path: String
  back_image_path: String
  scene_count(depth: Int): Int!
  scenes: [Scene!]!
  created_at: Time!
  updated_at: Time!
}

type FindScenesResultType { count: Int!  duration: Float!  filesize: Float!  scenes: [Scene!]! }
type FindPerformersResultType { count: Int!  performers: [Performer!]! }
type FindStudiosResultType { count: Int!  studios: [Studio!]! }
type FindTagsResultType { count: Int!  tags: [Tag!]! }
type FindGroupsResultType { count: Int!  groups: [Group!]! }
type FindFilesResultType { count: Int!  files: [BaseFile!]! }

enum JobStatus { READY RUNNING FINISHED STOPPING CANCELLED FAILED }

type Job {
  id: ID!
  status: JobStatus!
  subTasks: [String!]
  description: String!
  progress: Float
  startTime: Time
  endTime: Time
  addTime: Time!
  error: String
}

input FindJobInput { id: ID! }

enum SortDirectionEnum { ASC DESC }

input FindFilterType { q: String  page: Int  per_page: Int  sort: String  direction: SortDirectionEnum }

enum CriterionModifier {
  EQUALS NOT_EQUALS GREATER_THAN LESS_THAN IS_NULL NOT_NULL INCLUDES_ALL INCLUDES EXCLUDES
  MATCHES_REGEX NOT_MATCHES_REGEX BETWEEN NOT_BETWEEN
}

input StringCriterionInput { value: String!  modifier: CriterionModifier! }
input IntCriterionInput { value: Int!  value2: Int  modifier: CriterionModifier! }
input MultiCriterionInput { value: [ID!]  modifier: CriterionModifier!  excludes: [ID!] }
input HierarchicalMultiCriterionInput { value: [ID!]  modifier: CriterionModifier!  depth: Int  excludes: [ID!] }
input TimestampCriterionInput { value: String!  value2: String  modifier: CriterionModifier! }
input DateCriterionInput { value: String!  value2: String  modifier: CriterionModifier! }

input SceneFilterType {
  AND: SceneFilterType
  OR: SceneFilterType
  NOT: SceneFilterType
  id: IntCriterionInput
  title: StringCriterionInput
  code: StringCriterionInput
  details: StringCriterionInput
  director: StringCriterionInput
  oshash: StringCriterionInput
  checksum: StringCriterionInput
  path: StringCriterionInput
  file_count: IntCriterionInput
  rating100: IntCriterionInput
  organized: Boolean
  is_missing: String
  studios: HierarchicalMultiCriterionInput
  groups: HierarchicalMultiCriterionInput
  tags: HierarchicalMultiCriterionInput
  tag_count: IntCriterionInput
  performers: MultiCriterionInput
  performer_count: IntCriterionInput
  date: DateCriterionInput
  last_played_at: TimestampCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
  performers_filter: PerformerFilterType
  studios_filter: StudioFilterType
  tags_filter: TagFilterType
  groups_filter: GroupFilterType
  files_filter: FileFilterType
}

input PerformerFilterType {
  AND: PerformerFilterType
  OR: PerformerFilterType
  NOT: PerformerFilterType
  name: StringCriterionInput
  disambiguation: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}

input StudioFilterType {
  AND: StudioFilterType
  OR: StudioFilterType
  NOT: StudioFilterType
  name: StringCriterionInput
  parents: MultiCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}

input TagFilterType {
  AND: TagFilterType
  OR: TagFilterType
  NOT: TagFilterType
  name: StringCriterionInput
  aliases: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}

input GroupFilterType {
  AND: GroupFilterType
  OR: GroupFilterType
  NOT: GroupFilterType
  name: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}

input FileFilterType {
  AND: FileFilterType
  OR: FileFilterType
  NOT: FileFilterType
  path: StringCriterionInput
  basename: StringCriterionInput
  mod_time: TimestampCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}

enum BulkUpdateIdMode { SET ADD REMOVE }

input BulkUpdateIds { ids: [ID!]  mode: BulkUpdateIdMode! }
input BulkUpdateStrings { values: [String!]  mode: BulkUpdateIdMode! }
input SceneGroupInput { group_id: ID!  scene_index: Int }
input StashIDInput { endpoint: String!  stash_id: String!  updated_at: Time }

input SceneCreateInput {
  title: String
  code: String
  details: String
  director: String
  urls: [String!]
  date: String
  rating100: Int
  organized: Boolean
  studio_id: ID
  performer_ids: [ID!]
  groups: [SceneGroupInput!]
  tag_ids: [ID!]
  cover_image: String
  stash_ids: [StashIDInput!]
  file_ids: [ID!]
}

input SceneUpdateInput {
  clientMutationId: String
  id: ID!
  title: String
  code: String
  details: String
  director: String
  urls: [String!]
  date: String
  rating100: Int
  organized: Boolean
  studio_id: ID
  performer_ids: [ID!]
  groups: [SceneGroupInput!]
  tag_ids: [ID!]
  cover_image: String
  stash_ids: [StashIDInput!]
  resume_time: Float
  play_duration: Float
  primary_file_id: ID
}

input BulkSceneUpdateInput {
  clientMutationId: String
  ids: [ID!]
  title: String
  code: String
  details: String
  director: String
  urls: BulkUpdateStrings
  date: String
  rating100: Int
  organized: Boolean
  studio_id: ID
  performer_ids: BulkUpdateIds
  tag_ids: BulkUpdateIds
  group_ids: BulkUpdateIds
}

input SceneDestroyInput { id: ID!  delete_file: Boolean  delete_generated: Boolean }
input ScenesDestroyInput { ids: [ID!]!  delete_file: Boolean  delete_generated: Boolean }
input SceneMergeInput { source: [ID!]!  destination: ID!  values: SceneUpdateInput  play_history: Boolean }

input PerformerCreateInput {
  name: String!
  disambiguation: String
  gender: GenderEnum
  alias_list: [String!]
  image: String
}

input StudioCreateInput { name: String!  parent_id: ID  aliases: [String!]  image: String }

input TagCreateInput {
  name: String!
  sort_name: String
  description: String
  aliases: [String!]
  ignore_auto_tag: Boolean
  image: String
  parent_ids: [ID!]
}

input PerformerUpdateInput {
  id: ID!
  name: String
  disambiguation: String
  gender: GenderEnum
  alias_list: [String!]
  details: String
  image: String
}

input PerformerDestroyInput { id: ID! }
input StudioDestroyInput { id: ID! }
input TagDestroyInput { id: ID! }
input GroupDestroyInput { id: ID! }
input GroupUpdateInput {
  id: ID!
  name: String
  aliases: String
  date: String
  synopsis: String
  front_image: String
  back_image: String
}

input StudioUpdateInput {
  id: ID!
  name: String
  parent_id: ID
  aliases: [String!]
  details: String
  image: String
}

input TagUpdateInput {
  id: ID!
  name: String
  sort_name: String
  description: String
  aliases: [String!]
  ignore_auto_tag: Boolean
  image: String
  parent_ids: [ID!]
}

input TagsMergeInput { source: [ID!]!  destination: ID! }
"""


# Fields added in 0.29.
FILES = "  findFiles(file_filter: FileFilterType, filter: FindFilterType, ids: [ID!]): FindFilesResultType!\n"


@cache
def schema(*, files: bool = True) -> GraphQLSchema:
    """The schema, built once; without `files` that of a Stash before 0.29, which can't list them."""
    return build_schema(SDL if files else SDL.replace(FILES, ""))
